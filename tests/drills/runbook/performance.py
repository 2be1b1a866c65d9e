# rollback_performance_test.py
import asyncio
import time
import statistics
from app.services.voice_v2.orchestrator import VoiceServiceOrchestrator
from app.services.voice_v2.core.schemas import TTSRequest

async def performance_baseline_check():
    """Verify performance is back to baseline after rollback"""
    
    orchestrator = VoiceServiceOrchestrator()
    await orchestrator.initialize()
    
    # Performance test
    response_times = []
    test_texts = [
        "Короткий тест",
        "Средний по длине тест для проверки производительности",
        "Длинный тест для проверки производительности системы после отката изменений в production environment"
    ]
    
    for text in test_texts:
        for _ in range(3):  # 3 iterations per text
            start_time = time.time()
            
            try:
                request = TTSRequest(text=text, language="ru")
                await orchestrator.process_tts(request)
                
                response_time = time.time() - start_time
                response_times.append(response_time)
                
            except Exception as e:
                print(f"❌ Performance test failed: {e}")
                return False
    
    # Calculate statistics
    avg_time = statistics.mean(response_times)
    p95_time = sorted(response_times)[int(len(response_times) * 0.95)]
    
    print(f"📊 Performance Results:")
    print(f"   Average response time: {avg_time:.2f}s")
    print(f"   95th percentile: {p95_time:.2f}s")
    
    # Baseline thresholds (adjust based on your requirements)
    if avg_time < 3.0 and p95_time < 5.0:
        print("✅ Performance within baseline thresholds")
        return True
    else:
        print("❌ Performance degraded compared to baseline")
        return False
    
    await orchestrator.cleanup()

if __name__ == "__main__":
    success = asyncio.run(performance_baseline_check())
    exit(0 if success else 1)
